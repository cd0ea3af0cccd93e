"""Tests of data frames."""
