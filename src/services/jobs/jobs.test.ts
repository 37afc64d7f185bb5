/** What no real cache can be made to do on purpose; the rest is shown on an API server by `test/integration/jobs.test.ts`. */
import { expect, it } from 'vitest'
import type { Job, JobTemplate } from '../../api/index.ts'
import { fakeClock } from '../../clock/index.ts'
import { taskmillError, type ErrorCode } from '../../errors/index.ts'
import { silentLogger } from '../../observability/index.ts'
import { createJobs, jobNamed } from './jobs.ts'

const template: JobTemplate = { spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'acme:1' }] } } } }
const wanted = { ...jobNamed('acme', ['x', 'n'], 'tm/x/n'), labels: {}, template, field: 'spec.job' }
const call = { signal: new AbortController().signal }

function setup() {
  const clock = fakeClock(0)
  const server = { gets: 0, job: undefined as Job | undefined, failure: undefined as Error | undefined }
  const client = {
    async create(_: unknown, body: Job) {
      if (server.failure !== undefined) throw server.failure
      return (server.job = body)
    },
    async get() {
      server.gets += 1
      if (server.job === undefined) throw taskmillError('TM_KUBE_NOT_FOUND', 'gone')
      return server.job
    },
  }
  const cache = { get: (): Job | undefined => undefined, byIndex: (): Job[] => [] }
  return { clock, server, cache, jobs: createJobs({ client: client as never, cache, clock, log: silentLogger }) }
}

it('after a creation the cache may lag for 10 s; then the API server decides', async () => {
  const { clock, server, jobs } = setup()
  await jobs.create(wanted, call)
  expect(await jobs.look(wanted, call)).toEqual({ kind: 'Running', job: undefined, againAfterMs: 10_000 })
  expect(server.gets).toBe(0)
  await clock.advance(10_000)
  expect(await jobs.look(wanted, call)).toEqual({ kind: 'Running', job: server.job, againAfterMs: 10_000 })
  server.job = undefined
  expect(await jobs.look(wanted, call)).toEqual({ kind: 'Absent' })
})

it('a Job that the cache has shown and shows no more is read from the API server at once', async () => {
  const { server, jobs } = setup()
  await jobs.create(wanted, call)
  jobs.noteChange(`acme/${wanted.name}`)
  server.job = undefined
  expect(await jobs.look(wanted, call)).toEqual({ kind: 'Absent' })
})

it.each<[ErrorCode, string, object]>([
  ['TM_KUBE_INVALID', 'spec.backoffLimit: Invalid value', { kind: 'Refused' }],
  ['TM_KUBE_INVALID', 'admission webhook "policy.acme.dev" denied the request: no', { kind: 'Postponed', isRefused: true }],
  ['TM_KUBE_INVALID', "ValidatingAdmissionPolicy 'x' with binding 'y' denied request: no", { kind: 'Postponed', isRefused: true }],
  ['TM_KUBE_FORBIDDEN', 'exceeded quota', { kind: 'Postponed', isRefused: true }],
  ['TM_KUBE_UNAVAILABLE', 'connection refused', { kind: 'Postponed', isRefused: false }],
  ['TM_KUBE_TOO_MANY_REQUESTS', 'slow down', { kind: 'Postponed', isRefused: false }],
  ['TM_KUBE_FORBIDDEN', 'namespace acme because it is being terminated', { kind: 'Postponed', isRefused: false }],
])('%s, %s: the creation is %j', async (code, message, kind) => {
  const { server, jobs } = setup()
  server.failure = taskmillError(code, message)
  expect(await jobs.create(wanted, call)).toMatchObject({ ...kind, message: expect.stringContaining(message) })
})

it('a Job of the former template that the cache still shows is not the one to create', async () => {
  const { server, jobs, cache } = setup()
  const former = { ...wanted, generation: 'a' }
  await jobs.create(former, call)
  cache.get = () => server.job
  expect(await jobs.create(former, call)).toEqual({ kind: 'Created', warnings: [] })
  const next = { ...wanted, generation: 'b' }
  server.failure = taskmillError('TM_KUBE_ALREADY_EXISTS', 'already exists')
  expect(await jobs.create(next, call)).toEqual({
    kind: 'Postponed',
    isRefused: false,
    message: `Job "${wanted.name}" of the former template is still being deleted`,
  })
  server.failure = undefined
  await jobs.create(next, call)
  expect(server.job?.metadata.annotations).toMatchObject({ 'taskmill.dev/template': 'b' })
})

it('a Job that is suspended says so, without a look at pods', async () => {
  const { server, jobs } = setup()
  await jobs.create({ ...wanted, template: { spec: { ...template.spec, suspend: true } } }, call)
  const { trouble } = await jobs.trouble(server.job!, { ...call, log: silentLogger })
  expect(trouble).toMatchObject({ blocked: 'JobSuspended', reason: 'suspended' })
})

it('a creation after the loss of the lease throws and is no answer', async () => {
  const { server, jobs } = setup()
  server.failure = taskmillError('TM_LEASE_LOST', 'not sent')
  await expect(jobs.create(wanted, call)).rejects.toThrow('not sent')
})
