/**
 * The peer for the memory of schedules: the CronJob controller of Kubernetes, alone in a kube-controller-manager of its own, with as many
 * CronJobs as there were TaskSchedules. It keeps the objects as they are, and neither a plan nor a ledger nor series of metrics.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ensureBinaries } from '../../hack/cluster/binaries.ts'
import { startChildServer } from '../../hack/cluster/child-server.ts'
import { createProgress } from '../../hack/cluster/progress.ts'
import type { KubeObject, Resource } from '../../src/api/index.ts'
import type { KubeClient } from '../../src/kube/index.ts'
import { namespaces } from '../support/cluster-client.ts'
import { sendAll } from './at-once.ts'
import { usageOf } from './usage.ts'

type CronJob = KubeObject & { readonly spec: object }
const cronJobs: Resource<CronJob> = { group: 'batch', version: 'v1', kind: 'CronJob', plural: 'cronjobs', namespaced: true }
const namespace = 'peer'
/** After a start, and after the last creation, until nothing moves. */
const restMs = 20_000

export async function memoryOfCronJobs(
  { client, kubeconfig, folder }: { readonly client: KubeClient; readonly kubeconfig: string; readonly folder: string },
  count: number,
): Promise<{ readonly emptyMb: number; readonly fullMb: number }> {
  await client.create(namespaces, { metadata: { name: namespace } }, { fieldManager: 'bench' })
  const { controllerManager } = await ensureBinaries(createProgress())
  const args = [`--kubeconfig=${kubeconfig}`, '--controllers=cronjob-controller', '--leader-elect=false', '--secure-port=0']
  const peer = startChildServer(controllerManager, args, join(folder, 'peer.log'))
  try {
    await sleep(restMs)
    const emptyMb = usageOf(peer.pid).rssMb
    await sendAll(Array.from({ length: count }, (_, index) => () => createCronJob(client, index)))
    await sleep(restMs)
    return { emptyMb, fullMb: usageOf(peer.pid).rssMb }
  } finally {
    await peer.kill()
  }
}

/** Due once a day, as most of the TaskSchedules; suspended, so that no Job begins meanwhile. */
function createCronJob(client: KubeClient, index: number): Promise<CronJob> {
  const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'localhost/none:1' }] } }
  const spec = { schedule: `${(index * 7) % 60} ${index % 24} * * *`, suspend: true, jobTemplate: { spec: { template } } }
  return client.create(cronJobs, { metadata: { namespace, name: `cron-${index}` }, spec }, { fieldManager: 'bench' })
}
