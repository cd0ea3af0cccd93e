"""What everything speaks in: models, queries, errors, checkpoints."""
