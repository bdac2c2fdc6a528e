"""The words of the report page in Korean, by the English ones. What a run says itself, problems and reasons, stays as it is."""

from __future__ import annotations

KOREAN = {
    "Train run {run}": "학습 실행 {run}",
    "Succeeded": "성공",
    "Partly failed: what was deployed stays in service": "일부 실패: 배포된 것은 계속 서비스됩니다",
    "Failed": "실패",
    "passed": "통과",
    "needs approval": "승인 필요",
    "refused": "거부됨",
    "kept as it is": "그대로 유지",
    "rejected by a person": "사람이 거부함",
    "nobody answered": "응답 없음",
    "rolled back": "롤백됨",
    "came into service": "서비스에 배포됨",
    "not deployed": "배포되지 않음",
    "not deployed: nobody answered": "배포되지 않음: 응답 없음",
    "refused, rejected or rolled back": "거부되었거나 롤백됨",
    "Nothing was trained; what served before goes on serving.": "학습된 것이 없습니다. 기존 버전이 계속 서비스됩니다.",
    "{n} solutions were trained.": "솔루션 {n}개를 학습했습니다.",
    "1 solution was trained.": "솔루션 1개를 학습했습니다.",
    "Shops' pages now get recommendations of the new version of {names}.": (
        "이제 쇼핑몰 페이지는 {names}의 새 버전에서 추천을 받습니다."
    ),
    "The new version of {names} is not used: its old version goes on serving.": (
        "{names}의 새 버전은 사용하지 않고, 기존 버전이 계속 서비스됩니다."
    ),
    "No campaign got another version.": "버전이 바뀐 캠페인이 없습니다.",
    "Deployment {name}, started {at}, took {took}.": "배포 {name}, 시작 {at}, 소요 시간 {took}.",
    "{n} s": "{n}초",
    "{n} minutes": "{n}분",
    "{n} hours": "{n}시간",
    "Problems": "문제",
    "What to do:": "조치:",
    "Noticed in the CSVs": "CSV에서 발견한 점",
    "Solutions of this run": "이번 실행의 솔루션",
    "NDCG, MRR, precision and coverage lie between 0 and 1; more is better.": (
        "NDCG, MRR, 정밀도, 커버리지는 0과 1 사이이며 클수록 좋습니다."
    ),
    "Below a figure: its difference from the version that served when the run began.": (
        "수치 아래는 실행을 시작할 때 서비스하던 버전과의 차이입니다."
    ),
    "Solution": "솔루션",
    "Verdict": "판정",
    "campaign in service": "캠페인 서비스 중",
    "Sample lists": "추천 목록 예시",
    "What a few users would get, before filters and business rules. Marked with +: new in the list.": (
        "몇몇 사용자가 받을 목록입니다(필터와 비즈니스 규칙 적용 전). + 표시는 목록에 새로 들어온 상품입니다."
    ),
    "User {number}, {events} events in the CSVs": "사용자 {number}, CSV의 이벤트 {events}개",
    "served before": "기존 버전",
    "new version": "새 버전",
    "All versions over time": "시간에 따른 모든 버전",
}
