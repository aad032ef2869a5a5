"""From findings to a checked draft: prompts, batching, engines, the worker, training, evaluation."""
