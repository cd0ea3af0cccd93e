"""JSON to models and back: the cattrs converters."""
