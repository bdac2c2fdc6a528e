"""The words of the approval page in Korean, by the English ones: its own, and those that it shares with the report page."""

from __future__ import annotations

from lambdas.training.report import korean

KOREAN = korean.KOREAN | {
    "May the new version of {name} go live?": "{name}의 새 버전을 배포할까요?",
    "Deployment {name}.": "배포 {name}.",
    "The new version was trained by run {run} and passed its gate.": "새 버전은 실행 {run}에서 학습되었고 기준을 통과했습니다.",
    "The campaign serves the old version until you decide; without an answer until {until} the old version stays.": (
        "결정할 때까지 캠페인은 기존 버전을 서비스하며, {until}까지 응답이 없으면 기존 버전이 유지됩니다."
    ),
    "The figures lie between 0 and 1; more is better.": "수치는 0과 1 사이이며 클수록 좋습니다.",
    "metric": "지표",
    "new": "새 버전",
    "serving now": "현재 버전",
    "difference": "차이",
    "Approve": "승인",
    "Reject": "거부",
    "Thank you": "감사합니다",
    "The new version of {name} goes live.": "{name}의 새 버전이 배포됩니다.",
    "The new version of {name} was rejected; the old one stays.": "{name}의 새 버전을 거부했습니다. 기존 버전이 유지됩니다.",
    "Nothing to decide": "결정할 것이 없습니다",
    "This link is unknown, was used already, or is out of time, or the run that asked is over.": (
        "없는 링크이거나 이미 사용했거나 기한이 지났거나, 물어본 실행이 끝났습니다."
    ),
    "Not understood": "이해하지 못했습니다",
    "decision must be approve or reject.": "decision은 approve나 reject여야 합니다.",
}
