import { type ControlPlane, startControlPlane } from '../../hack/cluster/control-plane.ts'
import { type RedisServer, startRedis } from '../../hack/cluster/redis.ts'
import { connectCluster, installCrds } from './cluster-client.ts'
import { createBroker } from './manifests.ts'
import { type OperatorProcess, startOperator } from './operator-process.ts'

/** A control plane, a Redis, and an operator for them, with a TaskBroker in the namespace. */
export type OperatorHome = {
  readonly controlPlane: ControlPlane
  readonly redis: RedisServer
  readonly client: Awaited<ReturnType<typeof connectCluster>>
  /** The one that was started last. */
  readonly operator: OperatorProcess
  /** Starts another one, after the one before was stopped. */
  startOperator(): OperatorProcess
  /** Ends all of it, the operator first. */
  close(): Promise<void>
}

export async function openOperatorHome(namespace: string): Promise<OperatorHome> {
  await using opened = new AsyncDisposableStack()
  const [controlPlane, redis] = await Promise.all([startControlPlane(), startRedis()])
  opened.defer(async () => void (await Promise.all([redis.stop(), controlPlane.stop()])))
  const client = opened.adopt(await connectCluster(controlPlane.kubeconfig), (own) => own.close())
  await installCrds(client)
  const start = () => startOperator({ kubeconfig: controlPlane.kubeconfig })
  let operator = start()
  opened.defer(() => operator.stop())
  await createBroker(client, namespace, redis.address)
  const all = opened.move()
  return {
    controlPlane,
    redis,
    client,
    get operator() {
      return operator
    },
    startOperator: () => (operator = start()),
    close: () => all.disposeAsync(),
  }
}
