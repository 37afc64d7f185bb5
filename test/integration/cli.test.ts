/** The command line as people use it: as a plugin of kubectl, found by PATH, against a real API server with an operator. */
import { execFile } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ControlPlane, startControlPlane } from '../../hack/cluster/control-plane.ts'
import { type RedisServer, startRedis } from '../../hack/cluster/redis.ts'
import { deployments, findCondition, taskSchedules, workerPools } from '../../src/api/index.ts'
import { tools } from '../chart/helm.ts'
import { connectCluster, installCrds, observe } from '../support/cluster-client.ts'
import { createBroker, createPool, createSchedule } from '../support/manifests.ts'
import { type OperatorProcess, startOperator } from '../support/operator-process.ts'

const namespace = 'default'
let controlPlane: ControlPlane
let redis: RedisServer
let client: Awaited<ReturnType<typeof connectCluster>>
let operator: OperatorProcess
let folder: string

beforeAll(async () => {
  ;[controlPlane, redis] = await Promise.all([startControlPlane(), startRedis()])
  client = await connectCluster(controlPlane.kubeconfig)
  await installCrds(client)
  operator = startOperator({ kubeconfig: controlPlane.kubeconfig })
  await createBroker(client, namespace, redis.address)
  folder = mkdtempSync(join(tmpdir(), 'taskmill-cli-'))
  // As npm links it: the program knows by its name how people call it.
  const [plugin, linked] = [join(folder, 'kubectl-taskmill'), join(folder, 'linked', 'kubectl-taskmill')]
  mkdirSync(join(folder, 'linked'))
  symlinkSync(resolve('src/main/cli.ts'), linked)
  writeFileSync(plugin, `#!/bin/sh\nexec ${process.execPath} --import ${resolve('test/support/loaded-modules.mjs')} ${linked} "$@"\n`)
  chmodSync(plugin, 0o755)
})

afterAll(async () => {
  await operator?.stop()
  await client?.close()
  await Promise.all([redis?.stop(), controlPlane?.stop()])
  rmSync(folder, { recursive: true, force: true })
})

type Said = { readonly code: number; readonly out: string; readonly err: string }

async function taskmill(...args: string[]): Promise<Said> {
  const env = {
    ...process.env,
    PATH: `${folder}:${process.env['PATH'] ?? ''}`,
    KUBECONFIG: controlPlane.kubeconfig,
    LOADED_MODULES: join(folder, 'loaded'),
  }
  try {
    const { stdout, stderr } = await promisify(execFile)(tools.kubectl, ['taskmill', ...args], { env })
    return { code: 0, out: stdout, err: stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { readonly code: number; readonly stdout: string; readonly stderr: string }
    return { code, out: stdout, err: stderr }
  }
}

it('scales a pool for a while, replaces an override, and takes it back', async () => {
  await createPool(client, namespace, 'email', { queues: [{ name: 'email' }], scaling: { maxReplicas: 4 } })
  await observe(client, workerPools, { namespace, name: 'email' }, (object) => object?.status?.reason === 'ScaledToZero')
  const scaled = await taskmill('scale', 'wp/email', '6', '--for', '1h', '--because', 'incident 4711')
  const { spec, metadata } = await client.get(workerPools, namespace, 'email')
  const { until = '', by = '' } = spec.override ?? {}
  expect(spec.override).toEqual({ replicas: 6, until, by, reason: 'incident 4711' })
  expect(Date.parse(until) - Date.now()).toBeGreaterThan(3_500_000)
  expect(scaled).toEqual({
    code: 0,
    err: '',
    out:
      `wp/email -n default: 6 replicas until ${until} (1h) by ${by}: "incident 4711". ` +
      'That is more than maxReplicas 4, which does not count meanwhile. Sooner: kubectl taskmill resume wp/email -n default\n',
  })
  const owners = metadata.managedFields as readonly { readonly manager: string; readonly fieldsV1: object }[]
  expect(owners.find(({ manager }) => manager === 'taskmill-cli')?.fieldsV1).toEqual({
    'f:spec': { 'f:override': { 'f:by': {}, 'f:reason': {}, 'f:replicas': {}, 'f:until': {} } },
  })
  await observe(client, deployments, { namespace, name: 'email' }, (object) => object?.spec.replicas === 6)

  const suspended = await taskmill('suspend', 'WorkerPool/email', '--for', '30m', '-n', namespace)
  expect(suspended.out).toContain(`It replaces one until ${until} by ${by}: "incident 4711".`)
  await observe(client, deployments, { namespace, name: 'email' }, (object) => object?.spec.replicas === 0)
  expect((await client.get(workerPools, namespace, 'email')).spec.override).not.toHaveProperty('replicas')

  const resumed = await taskmill('resume', 'wp/email')
  expect(resumed).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^wp\/email -n default: no override any more \(there was one until /u),
  })
  const after = await observe(client, workerPools, { namespace, name: 'email' }, (object) => object?.status?.reason === 'ScaledToZero')
  expect(after?.spec).not.toHaveProperty('override')
  expect((await taskmill('resume', 'wp/email')).out).toBe('wp/email -n default is not overridden: nothing to resume\n')
})

it('removes an override that somebody wrote by other means', async () => {
  await createPool(client, namespace, 'edited', { queues: [{ name: 'edited' }] })
  const override = { until: '2090-01-01T00:00:00Z', suspend: true }
  const body = { metadata: { namespace, name: 'edited' }, spec: { override } }
  await client.apply(workerPools, body, { fieldManager: 'kubectl-edit', force: true })
  expect((await taskmill('resume', 'wp/edited')).code).toBe(0)
  expect((await client.get(workerPools, namespace, 'edited')).spec).not.toHaveProperty('override')
})

it('suspends and resumes schedules, and leaves to the manifest what is the manifest’s', async () => {
  await createSchedule(client, namespace, 'backup', { everySeconds: 3600, task: { type: 'x', queue: 'email' } })
  await createSchedule(client, namespace, 'resting', { everySeconds: 3600, suspend: true, task: { type: 'x', queue: 'email' } })
  const overridden = (name: string) =>
    observe(client, taskSchedules, { namespace, name }, (object) => findCondition(object?.status?.conditions, 'Overridden') !== undefined)
  expect((await taskmill('suspend', 'tsch/backup', '--for', '1d12h')).out).toMatch(
    /^tsch\/backup -n default: suspended until \S+ \(1d12h\) by /u,
  )
  expect((await overridden('backup'))?.status?.reason).toBe('OverrideActive')

  const refused = await taskmill('resume', 'tsch/resting')
  expect(refused).toEqual({
    code: 1,
    out: '',
    err:
      'kubectl taskmill resume: spec.suspend is true in tsch/resting itself, which is for its manifest to change. ' +
      'For a while: kubectl taskmill resume tsch/resting -n default --for 1h --because "…"\n',
  })
  expect((await taskmill('resume', 'tsch/resting', '--for', '1h')).out).toMatch(/^tsch\/resting -n default: not suspended until /u)
  expect((await overridden('resting'))?.status?.nextRuns?.length).toBeGreaterThan(0)
  expect((await taskmill('resume', 'tsch/resting')).out).toContain('It stays suspended: spec.suspend is true in tsch/resting itself.')
})

it('says what is missing, and loads nothing of the operator', async () => {
  const none = await taskmill('suspend', 'wp/none', '--for', '1h')
  expect(none).toEqual({
    code: 1,
    out: '',
    err: 'kubectl taskmill suspend: there is no WorkerPool "none" in namespace "default". Look: kubectl get workerpools -n default\n',
  })
  const context = await taskmill('suspend', 'wp/email', '--for', '1h', '--context', 'nowhere')
  expect([context.code, context.err]).toEqual([1, expect.stringContaining('has no context "nowhere"')])
  expect((await taskmill('scale', 'wp/email')).code).toBe(2)
  const loaded = readFileSync(join(folder, 'loaded'), 'utf8').split('\n')
  expect(loaded.some((url) => url.endsWith('/src/cli/run-command.ts'))).toBe(true)
  const heavy = /\/(bullmq|ioredis|prom-client|croner|pino)\/|\/src\/(controllers|services|broker|runtime|worker)\//u
  expect(loaded.filter((url) => heavy.test(url))).toEqual([])
})
