/** What the tests of alerts need beside schedules and pools: alerts and channels, and a receiver that keeps its own books. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  type AlertChannel,
  alertChannels,
  type Condition,
  findCondition,
  type KubeObject,
  type Resource,
  type TaskAlert,
  taskAlerts,
} from '../../src/api/index.ts'
import type { KubeClient } from '../../src/kube/index.ts'
import { observe } from './cluster-client.ts'

export type Received = { readonly path: string; readonly key: string; readonly body: Body; readonly isTaken: boolean }
type Body = {
  readonly state: string
  readonly alert: { readonly namespace: string; readonly name: string }
  readonly message: string
  readonly valueText: string
  readonly [field: string]: unknown
}

export type Receiver = AsyncDisposable & {
  readonly url: string
  readonly received: readonly Received[]
  /** Distinct notifications about an alert that were taken, in the order of their arrival: `firing`, `resolved`, … */
  storyOf(namespace: string, alert: string): readonly string[]
  /** An AlertChannel that leads here, to that path. */
  createChannel(client: KubeClient, namespace: string, name: string, path: string): Promise<AlertChannel>
}

/** Answers 200, but 500 below `/broken`, and never below `/hangs`. */
export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = []
  const server = createServer((request, answer) => {
    let text = ''
    request.on('data', (part: Buffer) => (text += part.toString()))
    request.on('end', () => {
      const path = request.url ?? ''
      const isTaken = !path.startsWith('/hangs') && !path.startsWith('/broken')
      received.push({ path, key: String(request.headers['idempotency-key']), body: JSON.parse(text) as Body, isTaken })
      if (path.startsWith('/hangs')) return
      answer.writeHead(isTaken ? 200 : 500)
      answer.end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    received,
    createChannel: (client, namespace, name, path) => createChannel(client, namespace, name, { webhook: { url: `${url}${path}` } }),
    storyOf(namespace, alert) {
      const own = received.filter(({ body, isTaken }) => isTaken && body.alert.namespace === namespace && body.alert.name === alert)
      return [...new Map(own.map(({ key, body }) => [key, body.state])).values()]
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export type AlertSpec = Partial<Omit<TaskAlert['spec'], 'target'>> & Pick<TaskAlert['spec'], 'target'>

export function createAlert(client: KubeClient, namespace: string, name: string, spec: AlertSpec): Promise<TaskAlert> {
  const object = { metadata: { namespace, name }, spec } as unknown as TaskAlert
  return client.create(taskAlerts, object, { fieldManager: 'test', fieldValidation: 'Strict' })
}

export function createChannel(
  client: KubeClient,
  namespace: string,
  name: string,
  spec: Partial<AlertChannel['spec']>,
): Promise<AlertChannel> {
  const object = { metadata: { namespace, name }, spec } as unknown as AlertChannel
  return client.create(alertChannels, object, { fieldManager: 'test', fieldValidation: 'Strict' })
}

type Conditioned = KubeObject & { readonly status?: { readonly conditions?: readonly Condition[] } }

/** Resolves with the condition once the object has it, with that status and reason. */
export async function conditionOf<T extends Conditioned>(
  client: KubeClient,
  resource: Resource<T>,
  place: { readonly namespace: string; readonly name: string },
  wanted: `${string} ${'True' | 'False' | 'Unknown'} ${string}`,
): Promise<Condition> {
  const [type = '', status, reason] = wanted.split(' ')
  const find = (object: T | undefined) => findCondition(object?.status?.conditions, type)
  const holds = (object: T | undefined) => find(object)?.status === status && find(object)?.reason === reason
  const found = find(await observe(client, resource, place, holds))
  if (found === undefined) throw new Error(`${place.name} is gone`)
  return found
}
