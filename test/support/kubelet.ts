/** Ends the pods of the Jobs of some schedules, in all namespaces of a file, and keeps books of them as the handlers of tasks do. */
import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Job, jobs, pods, type Pod } from '../../src/api/index.ts'
import { systemClock } from '../../src/clock/index.ts'
import { annotations, labels, ledgerName, slotJobId } from '../../src/contract/index.ts'
import { hasCode } from '../../src/errors/index.ts'
import { createInformer } from '../../src/kube/index.ts'
import { silentLogger } from '../../src/observability/index.ts'
import type { TestCluster } from './cluster.ts'
import { endPod } from './job-pods.ts'

export type Kubelet = { stop(): Promise<void> }

export function startKubelet({ client, owns }: TestCluster, recordFile: string, schedules: readonly string[]): Kubelet {
  const stopping = new AbortController()
  const [recorded, ended] = [new Set<string>(), new Set<string>()]
  const labelSelector = `${labels.startedBy}=TaskSchedule,${labels.schedule} in (${schedules.join(',')})`
  const informer = createInformer<Pod>({ client, resource: pods, labelSelector, clock: systemClock, log: silentLogger, rng: Math.random })
  informer.start(stopping.signal)

  async function look(): Promise<void> {
    for (const pod of informer.list()) {
      const { uid = '', namespace = '', labels: its, deletionTimestamp } = pod.metadata
      if (!owns(namespace) || ended.has(uid) || deletionTimestamp !== undefined) continue
      const job = await client.get(jobs, namespace, its?.['batch.kubernetes.io/job-name'] ?? '')
      if (!recorded.has(uid)) appendFileSync(recordFile, `${runIdOf(job)} 1 ${new Date().toISOString()} ${versionOf(pod)}\n`)
      recorded.add(uid)
      await endPod(client, pod, { exitCode: 0 })
      ended.add(uid)
    }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await look().catch((error: unknown) => {
        // A user deleted the Job or the pod meanwhile.
        if (!hasCode(error, 'TM_KUBE_NOT_FOUND', 'TM_KUBE_CONFLICT', 'TM_KUBE_UNAVAILABLE')) throw error
      })
      await sleep(200)
    }
  }
  const running = run()
  return {
    stop() {
      stopping.abort()
      return running
    },
  }
}

/** The tag of its image, where that is a number. */
function versionOf({ spec }: Pod): string {
  const [container] = spec['containers'] as readonly { readonly image?: string }[]
  return /:(\d+)$/u.exec(container?.image ?? '')?.[1] ?? ''
}

/** As the executor of Jobs names the run of a slot; a CronJob names only its Job after the slot. */
function runIdOf({ metadata }: Job): string {
  const { namespace = '', name, ownerReferences = [] } = metadata
  if (!ownerReferences.some(({ kind }) => kind === 'CronJob')) return metadata.annotations?.[annotations.jobId] ?? ''
  const minutes = Number(/\d+$/u.exec(name)?.[0])
  return slotJobId(ledgerName('default', namespace, metadata.labels?.[labels.schedule] ?? ''), minutes * 60)
}
