"""Where results go: formats, tables, files, progress."""
