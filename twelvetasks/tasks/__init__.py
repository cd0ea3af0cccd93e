"""Single tasks: create, retrieve, delete, wait."""
