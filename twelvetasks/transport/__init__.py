"""One request: the gate, retries, limits, and status to error."""
