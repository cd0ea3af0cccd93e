"""Which page to read next, and the proof that none is missing between two. Pure."""
