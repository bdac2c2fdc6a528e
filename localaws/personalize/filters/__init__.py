"""Filter expressions: parsed, checked against schemas, and evaluated to masks."""
