"""The resources of Amazon Personalize: their records, their life cycles and the operations on them."""
