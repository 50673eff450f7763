"""boto3 and the clients that the official Python SDK has for clouds, against a gateway: each does everything once for each key and prints one
JSON object for the test that started it.

Environment: BASE_URL, KEYS (a JSON object: key by name), NO_KEY.
"""

import json
import os
import time

import anthropic
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

BASE_URL = os.environ["BASE_URL"]
BEDROCK_MODEL = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
FOUNDATION_MODEL = "anthropic.claude-haiku-4-5-20251001-v1:0"
VERTEX_MODEL = "claude-haiku-4-5@20251001"
MODEL = "claude-haiku-4-5"
TOOLS = [{"name": "weather", "input_schema": {"type": "object"}}]


def asking(content, **more):
    return {"max_tokens": 64, "messages": [{"role": "user", "content": content}], **more}


def with_result(ask, content):
    """The conversation after the tool that the answer asked for has run."""
    use = next(block for block in content if block["type"] == "tool_use")
    result = {"type": "tool_result", "tool_use_id": use["id"], "content": "rain"}
    turns = [{"role": "assistant", "content": content}, {"role": "user", "content": [result]}]
    return {**ask, "messages": ask["messages"] + turns}


def text_of(content):
    return "".join(block["text"] for block in content if block["type"] == "text")


class Boto3:
    """`invoke_model` and its stream, as somebody writes it who has no other SDK."""

    def __init__(self, key, retries=1):
        # Read again with each call: nobody else may set it until this client is done with.
        os.environ["AWS_BEARER_TOKEN_BEDROCK"] = key
        self.api = boto3.client(
            "bedrock-runtime",
            region_name="us-east-1",
            endpoint_url=f"{BASE_URL}/bedrock",
            config=Config(retries={"total_max_attempts": retries, "mode": "standard"}),
        )

    @staticmethod
    def body(ask):
        return json.dumps({"anthropic_version": "bedrock-2023-05-31", **ask})

    def create(self, **ask):
        answer = self.api.invoke_model(modelId=BEDROCK_MODEL, body=self.body(ask))
        return json.loads(answer["body"].read())

    def events(self, **ask):
        answer = self.api.invoke_model_with_response_stream(modelId=BEDROCK_MODEL, body=self.body(ask))
        for event in answer["body"]:
            yield json.loads(event["chunk"]["bytes"])

    def count(self, **ask):
        body = self.body(ask).encode()
        answer = self.api.count_tokens(modelId=FOUNDATION_MODEL, input={"invokeModel": {"body": body}})
        return answer["inputTokens"]


class Sdk:
    """A client of the official SDK, with the same two calls."""

    def __init__(self, api, model):
        self.api, self.model = api, model

    def create(self, **ask):
        return self.api.messages.create(model=self.model, **ask).model_dump(mode="json", exclude_none=True)

    def events(self, **ask):
        for event in self.api.messages.create(model=self.model, stream=True, **ask):
            yield event.model_dump(mode="json", exclude_none=True)

    def count(self, **ask):
        return self.api.messages.count_tokens(model=self.model, messages=ask["messages"]).input_tokens


def bedrock(key, retries=0):
    api = anthropic.AnthropicBedrock(
        api_key=key, aws_region="us-east-1", base_url=f"{BASE_URL}/bedrock", max_retries=retries
    )
    return Sdk(api, BEDROCK_MODEL)


def vertex(key, retries=0):
    api = anthropic.AnthropicVertex(
        access_token=key,
        project_id="any-project",
        region="us-east5",
        base_url=f"{BASE_URL}/vertex/v1",
        max_retries=retries,
    )
    return Sdk(api, VERTEX_MODEL)


def foundry(key, retries=0):
    return Sdk(anthropic.AnthropicFoundry(api_key=key, base_url=f"{BASE_URL}/foundry", max_retries=retries), MODEL)


def claude_platform(key, retries=0):
    api = anthropic.AnthropicAWS(
        api_key=key,
        aws_region="us-east-1",
        workspace_id="wrkspc_client",
        base_url=f"{BASE_URL}/anthropic-aws",
        max_retries=retries,
    )
    return Sdk(api, MODEL)


def collected(events):
    """What a stream says: the types in their order, and its text and tool input put together."""
    types, text, tool_input, stop, thinking = [], "", "", None, ""
    for event in events:
        types.append(event["type"])
        delta = event.get("delta", {})
        text += delta.get("text", "")
        tool_input += delta.get("partial_json", "")
        thinking += delta.get("thinking", "") + delta.get("signature", "")
        stop = delta.get("stop_reason") or stop
    types = [name for name in types if name != "ping"]
    return {"types": types, "text": text, "input": tool_input, "thinking": thinking, "stop": stop}


def error_of(call):
    try:
        call()
    except ClientError as error:
        return {
            "class": error.response["Error"]["Code"],
            "status": error.response["ResponseMetadata"]["HTTPStatusCode"],
            "message": error.response["Error"]["Message"],
        }
    except anthropic.APIStatusError as error:
        return {
            "class": type(error).__name__,
            "status": error.status_code,
            "message": str(error),
            "retry_after": error.response.headers.get("retry-after"),
        }
    return None


def broken_off(client):
    """What a client says of a stream that ends with an error."""
    try:
        collected(client.events(**asking("broken")))
    except (EventStreamError, anthropic.APIError) as error:
        return {"class": type(error).__name__, "message": str(error)}
    return None


def tool_round(client):
    ask = asking("tool", tools=TOOLS)
    streamed = collected(client.events(**ask))
    first = client.create(**ask)
    second = client.create(**with_result(ask, first["content"]))
    return {"streamed": json.loads(streamed["input"]), "stop": streamed["stop"], "text": text_of(second["content"])}


def tried_again(client):
    begun = time.monotonic()
    answer = client.create(**asking("limited once"))
    return {"text": text_of(answer["content"]), "seconds": time.monotonic() - begun}


def abandoned(client):
    events = client.events(**asking("slow"))
    for event in events:
        if event["type"] == "content_block_delta":
            break
    events.close()
    return True


def message(client):
    answer = client.create(**asking("plain"))
    return {"text": text_of(answer["content"]), "stop": answer["stop_reason"], "usage": answer["usage"]}


def everything(make, key):
    client = make(key)
    thinking = {"type": "enabled", "budget_tokens": 1024}
    return {
        "message": message(client),
        "stream": collected(client.events(**asking("plain"))),
        "tool": tool_round(client),
        "thinking": collected(client.events(**asking("thinking", thinking=thinking))),
        "too long": error_of(lambda: message_of(client, "too long")),
        "invalid": error_of(lambda: message_of(client, "invalid")),
        "limited": error_of(lambda: message_of(client, "limited")),
        "broken": broken_off(client),
        "limited once": tried_again(make(key, 2)),
        "unauthenticated": error_of(lambda: message_of(make(os.environ["NO_KEY"]), "plain")),
    }


def message_of(client, content):
    return client.create(**asking(content))


def signed():
    """Credentials of a cloud in place of the gateway's key."""
    del os.environ["AWS_BEARER_TOKEN_BEDROCK"]
    keys = {"aws_access_key": "AKIAIOSFODNN7EXAMPLE", "aws_secret_key": "wJalrXUtnFEMIbPxRfiCYEXAMPLEKEY"}
    signing = anthropic.AnthropicBedrock(
        **keys, aws_region="us-east-1", base_url=f"{BASE_URL}/bedrock", max_retries=0
    )
    platform = anthropic.AnthropicAWS(
        **keys,
        aws_region="us-east-1",
        workspace_id="wrkspc_client",
        base_url=f"{BASE_URL}/anthropic-aws",
        max_retries=0,
    )
    boto = boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=f"{BASE_URL}/bedrock",
        aws_access_key_id=keys["aws_access_key"],
        aws_secret_access_key=keys["aws_secret_key"],
    )
    body = Boto3.body(asking("plain"))
    return {
        "boto3": error_of(lambda: boto.invoke_model(modelId=BEDROCK_MODEL, body=body)),
        "AnthropicBedrock": error_of(lambda: Sdk(signing, BEDROCK_MODEL).create(**asking("plain"))),
        "AnthropicAWS": error_of(lambda: Sdk(platform, MODEL).create(**asking("plain"))),
        "AnthropicVertex": error_of(lambda: vertex("ya29.a0AfB_by-google").create(**asking("plain"))),
    }


CLIENTS = {
    "boto3": lambda key, retries=0: Boto3(key, retries + 1),
    "AnthropicBedrock": bedrock,
    "AnthropicVertex": vertex,
    "AnthropicFoundry": foundry,
    "AnthropicAWS": claude_platform,
}
"""Of the others the SDK says itself that it does not count."""
COUNTING = ["boto3", "AnthropicVertex", "AnthropicFoundry", "AnthropicAWS"]


def main():
    keys = json.loads(os.environ["KEYS"])
    seen = {}
    for name, make in CLIENTS.items():
        seen[name] = {}
        for family, key in keys.items():
            seen[name][family] = everything(make, key)
            if name in COUNTING:
                seen[name][family]["count"] = make(key).count(**asking("plain"))
    seen["signed"] = signed()
    first = next(iter(keys.values()))
    seen["abandoned"] = {name: abandoned(make(first)) for name, make in CLIENTS.items()}
    print(json.dumps(seen))


main()
