/** Plays the kubelet for the pods of Jobs, where a control plane has a Job controller and no node. */
import { type Job, jobs, type Pod, pods } from '../../src/api/index.ts'
import type { KubeClient } from '../../src/kube/index.ts'
import { observe } from './cluster-client.ts'

type At = { readonly namespace: string; readonly name: string }
export type ContainerEnd = { readonly exitCode: number; readonly reason?: string; readonly message?: string }

/** The pods of a Job that have not ended, once there are some; never those of a Job that had its name before. */
export async function runningPods(client: KubeClient, { namespace, name }: At): Promise<readonly Pod[]> {
  for (;;) {
    const job = await client.get(jobs, namespace, name)
    const { items } = await client.list(pods, { namespace, labelSelector: `batch.kubernetes.io/controller-uid=${job.metadata.uid}` })
    const running = items.filter(({ status }) => status?.phase !== 'Failed' && status?.phase !== 'Succeeded')
    if (running.length > 0) return running
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** The pods of the Job that run end like this. */
export async function endPods(client: KubeClient, at: At, end: ContainerEnd): Promise<void> {
  for (const pod of await runningPods(client, at)) await endPod(client, pod, end)
}

export async function endPod(client: KubeClient, pod: Pod, { exitCode, reason, message }: ContainerEnd): Promise<void> {
  const phase = exitCode === 0 ? ('Succeeded' as const) : ('Failed' as const)
  const terminated = { exitCode, reason: reason ?? (exitCode === 0 ? 'Completed' : 'Error'), ...(message === undefined ? {} : { message }) }
  const containerStatuses = (pod.spec['containers'] as readonly { readonly name: string }[]).map(({ name }) => ({
    name,
    image: 'none',
    imageID: '',
    ready: false,
    restartCount: 0,
    state: { terminated },
  }))
  await tellPod(client, pod, { phase, containerStatuses })
}

export async function tellPod(client: KubeClient, { metadata }: Pod, status: Pod['status']): Promise<void> {
  const { name, namespace, uid } = metadata
  const body = { metadata: { name, namespace, uid }, status }
  await client.applyStatus<Pod>(pods, body, { fieldManager: 'kubelet', force: true })
}

/** Resolves with the first state of the Job that satisfies `holds`. */
export function observeJob(client: KubeClient, at: At, holds: (job: Job | undefined) => boolean): Promise<Job | undefined> {
  return observe(client, jobs, at, holds)
}
