"""Filter expressions: parsed, checked against schemas, and evaluated to a mask over items, users or actions."""
