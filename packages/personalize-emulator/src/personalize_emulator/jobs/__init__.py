"""Long work (imports, trainings, exports, deletions, batches), done in child processes."""
