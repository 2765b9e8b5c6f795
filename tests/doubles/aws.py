"""How a process reaches a server that stands in for AWS."""

from functools import cache

from botocore.loaders import JSONFileLoader, Loader, create_loader


def environment(endpoint: str) -> dict[str, str]:
    """The variables by which boto3 and obstore find S3 and Glue at `endpoint`, with credentials of nobody."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def parse_services_once() -> None:
    """Let all sessions of this process share what botocore says of a service; else each parses it anew, for 0.2 s."""
    load_file = cache(JSONFileLoader().load_file)
    list_services = cache(create_loader().list_available_services)
    JSONFileLoader.load_file = lambda _, path: load_file(path)
    Loader.list_available_services = lambda _, type_name: list_services(type_name)
