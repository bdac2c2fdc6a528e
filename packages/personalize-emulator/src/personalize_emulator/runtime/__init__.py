"""The answers of a deployed model: real-time calls and the lines of batch jobs."""

from personalize_emulator.runtime.batch import infer_line, segment_line
from personalize_emulator.runtime.realtime import rank, recommend, recommend_actions
from personalize_emulator.runtime.serving import Promotion, Serving
from personalize_emulator.runtime.themes import Themes

__all__ = ["Promotion", "Serving", "Themes", "infer_line", "rank", "recommend", "recommend_actions", "segment_line"]
