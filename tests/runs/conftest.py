from tests.builders.engines import fork_server as fork_server
from tests.builders.engines import model_lake as model_lake
