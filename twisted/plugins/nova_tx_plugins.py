"""What twistd finds: the daemons of nova_tx."""

from twisted.application.service import ServiceMaker

api = ServiceMaker("nova-api", "nova_tx.taps.api", "EC2 API and metadata", "nova-api")
objectstore = ServiceMaker(
    "nova-objectstore", "nova_tx.taps.objectstore", "S3 buckets and images", "nova-objectstore"
)
scheduler = ServiceMaker(
    "nova-scheduler", "nova_tx.taps.scheduler", "chooses hosts for instances", "nova-scheduler"
)
compute = ServiceMaker("nova-compute", "nova_tx.taps.compute", "runs guests", "nova-compute")
network = ServiceMaker(
    "nova-network", "nova_tx.taps.network", "bridges, DHCP and addresses", "nova-network"
)
everything = ServiceMaker("nova-all", "nova_tx.taps.all", "the five in one process", "nova-all")
