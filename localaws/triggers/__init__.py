"""What moves events from one service to another by itself: schedules, event source mappings, delivery streams."""
