import { type RedisServer, startRedis } from '../../hack/cluster/redis.ts'
import { openCluster, type TestCluster } from './cluster.ts'
import { createBroker } from './manifests.ts'
import { type OperatorProcess, startOperator } from './operator-process.ts'

/** A namespace of the shared cluster, a Redis, and an operator for both, with a TaskBroker in the namespace. */
export type OperatorHome = {
  readonly cluster: TestCluster
  readonly redis: RedisServer
  readonly client: TestCluster['client']
  readonly namespace: string
  /** The other namespaces that the operator watches, in the order in which they were asked for. */
  readonly others: readonly string[]
  /** The one that was started last. */
  readonly operator: OperatorProcess
  /** Starts another one, after the one before was stopped. */
  startOperator(): OperatorProcess
  /** Ends all of it, the operator first. */
  close(): Promise<void>
}

export async function openOperatorHome(name: string, others: readonly string[] = []): Promise<OperatorHome> {
  await using opened = new AsyncDisposableStack()
  const [cluster, redis] = await Promise.all([openCluster(), startRedis()])
  opened.use(cluster)
  opened.use(redis)
  const [namespace = '', ...more] = await Promise.all([name, ...others].map((each) => cluster.createNamespace(each)))
  const start = () => startOperator({ cluster, namespaces: [namespace, ...more] })
  let operator = start()
  opened.defer(() => operator.stop())
  await createBroker(cluster.client, namespace, redis.address)
  const all = opened.move()
  return {
    cluster,
    redis,
    client: cluster.client,
    namespace,
    others: more,
    get operator() {
      return operator
    },
    startOperator: () => (operator = start()),
    close: () => all.disposeAsync(),
  }
}
