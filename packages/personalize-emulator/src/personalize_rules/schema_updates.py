"""Whether one schema may take the place of another: the rules of UpdateDataset.

docs: personalize/latest/dg/updating-dataset-schema.html
"""

from __future__ import annotations

from personalize_rules.schemas import InvalidSchema, Problem, Schema


def check_schema_update(old: Schema, new: Schema) -> None:
    """Raises InvalidSchema."""
    if old.kind not in ("ITEMS", "USERS"):
        raise InvalidSchema(
            [Problem("", f"the schema of a dataset of type {old.kind} cannot be replaced, only of ITEMS and USERS")]
        )
    if new.kind != old.kind:
        raise InvalidSchema([Problem("name", f"the new schema is for {new.kind}, the dataset is of type {old.kind}")])
    fields = {field.name: field for field in new.fields}
    problems = [
        Problem("fields", f"{field.name} must be kept unchanged in the new schema")
        for field in old.fields
        if fields.pop(field.name, None) != field
    ]
    for field in fields.values():
        if not field.nullable:
            union = f'["null", "{field.type}"]'
            problems.append(Problem("fields", f'the new field {field.name} must allow null: use "type": {union}'))
    if problems:
        raise InvalidSchema(problems)
