"""One codec (pure) and one shell (asyncio) for each protocol that prelim speaks."""
