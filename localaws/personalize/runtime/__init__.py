"""The answers of a deployed model: real-time calls and the lines of batch jobs."""

from localaws.personalize.runtime.batch import infer_line, segment_line
from localaws.personalize.runtime.realtime import rank, recommend, recommend_actions
from localaws.personalize.runtime.serving import Promotion, Serving
from localaws.personalize.runtime.themes import Themes

__all__ = ["Promotion", "Serving", "Themes", "infer_line", "rank", "recommend", "recommend_actions", "segment_line"]
