"""From findings to a checked draft: prompts, batching, engines, worker, training, evaluation."""
