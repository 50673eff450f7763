"""The official Python SDK against a gateway: does everything once and prints one JSON object for the test that started it.

Environment: BASE_URL, KEY, READ_KEY, NO_KEY, MODEL, ALIAS, DENIED_MODEL.
"""

import json
import os
import time

import anthropic

BASE_URL = os.environ["BASE_URL"]
MODEL = os.environ["MODEL"]
TOOLS = [{"name": "weather", "input_schema": {"type": "object"}}]


def client(**options):
    return anthropic.Anthropic(base_url=BASE_URL, **options)


def asking(content, model=MODEL):
    return {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": content}]}


def error_of(call):
    try:
        call()
    except anthropic.APIStatusError as error:
        return {
            "class": type(error).__name__,
            "is_a": [base.__name__ for base in type(error).__mro__],
            "status": error.status_code,
            "message": error.message,
            "request_id": error.request_id,
            "retry_after": error.response.headers.get("retry-after"),
        }
    return None


def message(api):
    answer = api.messages.create(**asking("plain"))
    return {"text": answer.content[0].text, "model": answer.model, "output_tokens": answer.usage.output_tokens}


def stream(api):
    with api.messages.stream(**asking("plain")) as events:
        pieces = list(events.text_stream)
        return {"pieces": len(pieces), "text": "".join(pieces), "stop": events.get_final_message().stop_reason}


def tool_round(api):
    ask = asking("tool")
    first = api.messages.create(**ask, tools=TOOLS, extra_headers={"anthropic-beta": "made-up-2031-01-01"})
    use = first.content[0]
    ask["messages"] += [
        {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in first.content]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "rain"}]},
    ]
    second = api.messages.create(**ask, tools=TOOLS)
    return {"input": use.input, "text": second.content[0].text}


def count(api):
    ask = asking("plain")
    return api.messages.count_tokens(model=ask["model"], messages=ask["messages"]).input_tokens


def models(api):
    return {
        "ids": [model.id for model in api.models.list(limit=1000)],
        "one": api.models.retrieve(os.environ["ALIAS"]).display_name,
    }


def tried_again(content):
    begun = time.monotonic()
    answer = client(api_key=os.environ["KEY"], max_retries=3).messages.create(**asking(content))
    return {"text": answer.content[0].text, "seconds": time.monotonic() - begun}


def abandoned(api):
    with api.messages.stream(**asking("slow")) as events:
        next(iter(events.text_stream))
    return True


def main():
    api = client(api_key=os.environ["KEY"])
    once = client(api_key=os.environ["KEY"], max_retries=0)
    print(
        json.dumps(
            {
                "message": message(api),
                "bearer": message(client(auth_token=os.environ["KEY"])),
                "stream": stream(api),
                "tool": tool_round(api),
                "count": count(api),
                "models": models(api),
                "unauthenticated": error_of(lambda: client(api_key=os.environ["NO_KEY"]).models.list()),
                "forbidden": error_of(lambda: message(client(api_key=os.environ["READ_KEY"]))),
                "denied": error_of(lambda: api.messages.create(**asking("plain", os.environ["DENIED_MODEL"]))),
                "invalid": error_of(lambda: api.messages.create(**asking("invalid"))),
                "limited": error_of(lambda: once.messages.create(**asking("limited"))),
                "limited once": tried_again("limited once"),
                "overloaded twice": tried_again("overloaded twice"),
                "abandoned": abandoned(api),
            }
        )
    )


main()
