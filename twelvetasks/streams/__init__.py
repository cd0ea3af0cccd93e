"""The window of fetches and the async generators over it."""
