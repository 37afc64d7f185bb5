/** The ways in which people install the chart; every rule about rendered objects holds for each of them. */
export const variants: Readonly<Record<string, readonly string[]>> = {
  default: [],
  'with Redis': ['redis.enabled=true'],
  'with persistent Redis': ['redis.enabled=true', 'redis.persistence.enabled=true', 'redis.persistence.storageClassName=fast'],
  'with local images': [
    'image.repository=localhost/taskmill',
    'image.tag=dev',
    'redis.enabled=true',
    'redis.image.repository=localhost/taskmill-redis',
    'redis.image.tag=7',
  ],
  'two replicas': ['operator.replicas=2', 'operator.priorityClassName=system-cluster-critical', 'operator.podLabels.team=platform'],
  'in two namespaces': ['operator.watchNamespaces={mail,files}'],
  'without what others manage': ['crds.install=false', 'rbac.create=false', 'serviceAccount.create=false', 'serviceAccount.name=runner'],
  'pinned and placed': [
    `image.digest=sha256:${'a'.repeat(64)}`,
    'image.registry=registry.example.com:5000',
    'imagePullSecrets[0].name=pull',
    'operator.nodeSelector.disk=ssd',
    'operator.tolerations[0].key=dedicated',
    'operator.tolerations[0].operator=Exists',
    'crds.keep=false',
    'fullnameOverride=mill',
  ],
}
