"""What filters choose among."""

from localaws.personalize.schemas import Kind

# The dataset whose ids a filter lets through or holds back, by the target of its expression in lower case.
TARGETS: dict[str, Kind] = {"itemid": "ITEMS", "userid": "USERS", "actionid": "ACTIONS"}
