from tests.builders.engines import fork_server as fork_server
