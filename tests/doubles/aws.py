"""How a process reaches a server that stands in for AWS."""


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
