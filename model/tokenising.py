"""From a prompt's pieces to token ids, so that report text can never become a control token.

Our template is tokenised as it is; report text with every control token's spelling split into plain
characters, and then looked through once more. Training uses the same function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model.errors import PromptRefusedError

if TYPE_CHECKING:
    from mappings.domain import Prompt


class PromptTokeniser:
    """Wraps the tokenizer of a base model."""

    def __init__(self, tokenizer: Any) -> None:  # noqa: ANN401 - the library's types end here
        """Take a ``transformers`` tokenizer."""
        self._tokenizer = tokenizer
        self._control_ids = frozenset(
            token_id for token_id, token in tokenizer.added_tokens_decoder.items() if token.special
        ).union(tokenizer.all_special_ids)

    def encode(self, prompt: Prompt) -> tuple[int, ...]:
        """Return the ids of all pieces, one after the other, with nothing added.

        Raises:
            PromptRefusedError: ``control_token_in_report``.
        """
        return tuple(
            token_id
            for piece in prompt.pieces
            for token_id in self.encode_text(piece.text, is_trusted=piece.is_trusted)
        )

    def encode_text(self, text: str, *, is_trusted: bool) -> list[int]:
        """Return the ids of one text.

        Raises:
            PromptRefusedError: ``control_token_in_report``: the tokenizer made one all the same.
        """
        encoded = self._tokenizer(
            text, add_special_tokens=False, split_special_tokens=not is_trusted
        )
        token_ids = [int(token_id) for token_id in encoded["input_ids"]]
        if not is_trusted and not self._control_ids.isdisjoint(token_ids):
            raise PromptRefusedError("control_token_in_report")
        return token_ids

    def decode(self, token_ids: list[int]) -> str:
        """Return the text of an answer, without control tokens."""
        text: str = self._tokenizer.decode(token_ids, skip_special_tokens=True)
        return text.strip()
