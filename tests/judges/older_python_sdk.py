"""Prints, as JSON, the ids that version 0.4.11 of the official SDK finds; run with it installed."""

import json
import sys
from typing import Any

from twelvelabs import TwelveLabs  # reads its address from TWELVELABS_BASE_URL

sdk: Any = TwelveLabs(sys.argv[1])  # type: ignore[call-arg]
one_page = [task.id for task in sdk.task.list(page_limit=50)]
pages = sdk.task.list_pagination(page_limit=10)
walked = [task.id for task in pages.data]
while (page := next(pages, None)) is not None:
    walked += [task.id for task in page]
retrieved = sdk.task.retrieve(one_page[0]).id
embedding_tasks = [task.id for task in sdk.embed.task.list(page_limit=50)]
found = {"one_page": one_page, "walked": walked, "retrieved": retrieved}
print(json.dumps({**found, "embedding_tasks": embedding_tasks}))
