"""The score loop: from pairs in Redis to one result each. Importing it loads nothing that scores."""

from scorer.worker.loop import ScoreWorker
from scorer.worker.process import BatchScorer, ProcessScorer

__all__ = ["BatchScorer", "ProcessScorer", "ScoreWorker"]
