"""Documents as jobs: stored durably, read page by page in the background, resumed after a crash."""
