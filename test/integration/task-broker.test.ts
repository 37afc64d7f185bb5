/** TaskBrokers with credentials and TLS, and what is said about servers and turns: a real API server, real Redis, one operator all along. */
import { once } from 'node:events'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startRedis, type RedisOptions, type RedisServer } from '../../hack/cluster/redis.ts'
import { deployments, events, findCondition, secrets, taskBrokers, workerPools, type TaskBroker } from '../../src/api/index.ts'
import { openCluster, type TestCluster } from '../support/cluster.ts'
import { observe } from '../support/cluster-client.ts'
import { createPool } from '../support/manifests.ts'
import { startOperator, type OperatorProcess } from '../support/operator-process.ts'
import { monitorCommands } from '../support/redis-monitor.ts'

let namespace: string
const passwords = ['correct-horse-1', 'battery-staple-2', 'wrong-guess-3'] as const
let cluster: TestCluster
let client: TestCluster['client']
let operator: OperatorProcess
const servers: RedisServer[] = []

beforeAll(async () => {
  cluster = await openCluster()
  ;({ client } = cluster)
  namespace = await cluster.createNamespace('task-broker')
  operator = startOperator({ cluster, namespaces: [namespace], times: { secretRereadMs: 3_000, brokerLookMs: 1_000 } })
  await operator.logged('leading')
})

afterAll(async () => {
  await operator?.stop()
  await Promise.all([...servers.map((server) => server.stop()), cluster?.close()])
})

async function redisWith(options: RedisOptions = {}): Promise<RedisServer> {
  const server = await startRedis(options)
  servers.push(server)
  return server
}

const fieldManager = 'test'
const create = (name: string, spec: object) =>
  client.create(taskBrokers, { metadata: { namespace, name }, spec } as unknown as TaskBroker, { fieldManager, fieldValidation: 'Strict' })
const change = (name: string, spec: object) =>
  client.apply(taskBrokers, { metadata: { namespace, name }, spec }, { fieldManager, force: true })
const putSecret = (name: string, values: Record<string, string>) =>
  client.apply(
    secrets,
    {
      metadata: { namespace, name },
      data: Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('base64')])),
    },
    { fieldManager, force: true },
  )

/** Waits for the operator to look at a server. A look follows when all that the one before had found is written. */
async function watchLooks({ port }: RedisServer) {
  const looks = new EventTarget()
  const monitor = await monitorCommands(port, (line) => {
    if (/"info" "server"/iu.test(line)) looks.dispatchEvent(new Event('look'))
  })
  return {
    async more(count: number): Promise<void> {
      for (let left = count; left > 0; left -= 1) await once(looks, 'look')
    },
    [Symbol.dispose]() {
      monitor[Symbol.dispose]()
    },
  }
}

/** Waits until a condition has that reason. */
async function reason(name: string, type: string, wanted: string) {
  const found = await observe(
    client,
    taskBrokers,
    { namespace, name },
    (object) => findCondition(object?.status?.conditions, type)?.reason === wanted,
  )
  return { object: found, condition: findCondition(found?.status?.conditions, type) }
}
const types = (object: TaskBroker | undefined) => object?.status?.conditions?.map(({ type, status }) => `${type} ${status}`)

describe('credentials', () => {
  it('are waited for, and say what is wrong with them until they are right', async () => {
    const server = await redisWith({ aclUsers: [`app on >${passwords[0]} ~bull:* &bull:* +@all -@dangerous +info`], password: 'admin' })
    await create('locked', { standalone: { address: server.address }, credentialsSecretRef: { name: 'auth' } })
    const missing = await reason('locked', 'Ready', 'SecretNotFound')
    expect(missing.condition?.message).toBe('Secret "auth" does not exist in this namespace. Next: create it')
    expect(types(missing.object)).toEqual(expect.arrayContaining(['Ready False', 'Reconciling True', 'BrokerReachable Unknown']))

    await putSecret('auth', { username: 'app', passwort: passwords[0] })
    const invalid = await observe(
      client,
      taskBrokers,
      { namespace, name: 'locked' },
      (object) => findCondition(object?.status?.conditions, 'Stalled')?.reason === 'SecretInvalid',
    )
    expect(findCondition(invalid?.status?.conditions, 'Ready')?.message).toBe(
      'Secret "auth" has no key "password", or its value is empty. Next: add it',
    )
    expect(types(invalid)).not.toContain('Reconciling True')

    await putSecret('auth', { username: 'app', password: passwords[2] })
    const refused = await reason('locked', 'BrokerReachable', 'AuthenticationFailed')
    expect(refused.condition?.message).toMatch(/refuses the operator: .*Next: check user name and password in the Secret/u)
    expect(types(refused.object)).toEqual(expect.arrayContaining(['Ready False', 'Reconciling True']))

    await putSecret('auth', { username: 'app', password: passwords[0] })
    const ready = await reason('locked', 'Ready', 'Connected')
    expect(types(ready.object)).not.toContain('Reconciling True')
    await reason('locked', 'Dispatching', 'Active')
  }, 180_000)

  it('rotate without a restart: the old password goes, pools and turns go on', async () => {
    const server = await redisWith({
      aclUsers: [`app on >${passwords[0]} ~bull:* &bull:* +@all`],
      password: 'admin',
      appendonly: 'everysec',
    })
    const admin = new Redis(server.port, server.host, { password: 'admin' })
    const queue = new Queue('rotating', { connection: { host: server.host, port: server.port, password: 'admin' } })
    try {
      await putSecret('rotating', { username: 'app', password: passwords[0] })
      await create('rotating', { standalone: { address: server.address }, credentialsSecretRef: { name: 'rotating' } })
      await reason('rotating', 'Dispatching', 'Active')
      await createPool(client, namespace, 'rotating', {
        brokerRef: { name: 'rotating' },
        queues: [{ name: 'rotating' }],
        scaling: { maxReplicas: 9, targetBacklogPerReplica: 1 },
      })
      await queue.addBulk(Array.from({ length: 2 }, () => ({ name: 'x', data: {} })))
      await observe(client, deployments, { namespace, name: 'rotating' }, (object) => object?.spec.replicas === 2)

      await admin.acl('SETUSER', 'app', `>${passwords[1]}`)
      await putSecret('rotating', { username: 'app', password: passwords[1] })
      await admin.acl('SETUSER', 'app', `<${passwords[0]}`)
      // A server that drops connections at the worst moment: only the new password opens new ones.
      await admin.call('CLIENT', 'KILL', 'USER', 'app')
      await queue.addBulk(Array.from({ length: 3 }, () => ({ name: 'x', data: {} })))
      await observe(client, deployments, { namespace, name: 'rotating' }, (object) => object?.spec.replicas === 5)
      await reason('rotating', 'Ready', 'Connected')
      const claimed = async () => Number(await admin.hget(`bull:.taskmill:dispatcher:default/${namespace}`, 'aliveAtMs'))
      const before = await claimed()
      await expect.poll(claimed, { timeout: 15_000 }).toBeGreaterThan(before)
      const users = ((await admin.call('CLIENT', 'LIST')) as string).match(/name=taskmill:\S* .*user=app/gu) ?? []
      expect(users.length).toBeGreaterThanOrEqual(1)
      expect(users.length).toBeLessThanOrEqual(4)
      expect(operator.lines.filter(({ msg }) => msg === 'operator started')).toHaveLength(1)
      expect(await client.get(workerPools, namespace, 'rotating')).toMatchObject({ status: { desiredReplicas: 5 } })
    } finally {
      admin.disconnect()
      await queue.close()
    }
  }, 180_000)

  it('that change while the connection is good are taken over when the Secret is read again', async () => {
    const server = await redisWith({ aclUsers: [`app on >${passwords[0]} >${passwords[1]} ~bull:* &bull:* +@all`], password: 'admin' })
    const admin = new Redis(server.port, server.host, { password: 'admin' })
    try {
      await putSecret('calm', { username: 'app', password: passwords[0] })
      await create('calm', { standalone: { address: server.address }, credentialsSecretRef: { name: 'calm' } })
      await reason('calm', 'Ready', 'Connected')
      const ids = async () => [...((await admin.call('CLIENT', 'LIST')) as string).matchAll(/^id=(\d+) .*user=app/gmu)].map(([, id]) => id)
      const before = await ids()
      await putSecret('calm', { username: 'app', password: passwords[1] })
      await expect.poll(async () => (await ids()).filter((id) => before.includes(id)), { timeout: 90_000, interval: 500 }).toEqual([])
      expect((await ids()).length).toBeGreaterThanOrEqual(1)
      expect(findCondition((await client.get(taskBrokers, namespace, 'calm')).status?.conditions, 'Ready')?.reason).toBe('Connected')
    } finally {
      admin.disconnect()
    }
  }, 180_000)

  it('stand in no status, Event or log line', async () => {
    const lists = await Promise.all([
      client.list<TaskBroker>(taskBrokers, { namespace }),
      client.list(workerPools, { namespace }),
      client.list(events, { namespace }),
    ])
    const said = JSON.stringify([lists.map((list) => list.items), operator.lines])
    for (const password of passwords) expect(said).not.toContain(password)
  })
})

describe('TLS', () => {
  it('says what fails, and connects when the Secrets are right', async () => {
    const server = await redisWith({ tls: { clientCertificates: 'Required' } })
    const other = await redisWith({ tls: { clientCertificates: 'Ignored' } })
    const { certificates } = server
    if (certificates === undefined || other.certificates === undefined) throw new Error('the servers have no certificates')
    await create('plain', { standalone: { address: server.address } })
    await reason('plain', 'BrokerReachable', 'ConnectionFailed')

    await putSecret('other-ca', { 'ca.crt': other.certificates.ca })
    await create('distrusted', { standalone: { address: server.address }, tls: { caSecretRef: { name: 'other-ca' } } })
    expect((await reason('distrusted', 'BrokerReachable', 'TLSFailed')).condition?.message).toMatch(/Next: check spec\.tls/u)

    await putSecret('ca', { 'ca.crt': certificates.ca })
    const client1 = { 'tls.crt': certificates.cert, 'tls.key': certificates.key }
    await client.create(
      secrets,
      {
        metadata: { namespace, name: 'client' },
        type: 'kubernetes.io/tls',
        data: Object.fromEntries(Object.entries(client1).map(([key, value]) => [key, Buffer.from(value).toString('base64')])),
      },
      { fieldManager },
    )
    const tls = { caSecretRef: { name: 'ca' }, clientCertificateSecretRef: { name: 'client' } }
    await create('elsewhere', { standalone: { address: server.address }, tls: { ...tls, serverName: 'redis.elsewhere' } })
    await reason('elsewhere', 'BrokerReachable', 'TLSFailed')
    await create('private', { standalone: { address: server.address }, tls })
    await reason('private', 'Ready', 'Connected')
    await create('named', { standalone: { address: other.address }, tls: { caSecretRef: { name: 'other-ca' }, serverName: 'localhost' } })
    await reason('named', 'Ready', 'Connected')
  }, 120_000)
})

describe('the conditions about a server', () => {
  it('warns of one that may lose jobs, and stays quiet while nothing changes', async () => {
    const server = await redisWith({ args: ['--maxmemory', '64mb', '--maxmemory-policy', 'allkeys-lru'] })
    await create('careless', { standalone: { address: server.address } })
    const { object, condition } = await reason('careless', 'Degraded', 'UnsafeEvictionPolicy')
    expect(condition?.message).toMatch(/allkeys-lru.*Next: set it to noeviction.*appendonly yes/u)
    expect(object?.status).toMatchObject({
      evictionPolicy: 'allkeys-lru',
      persistence: 'None',
      memory: expect.stringMatching(/^[\d.]+[KM]i\/64Mi$/u),
    })
    expect(types(object)).toContain('Ready True')
    await reason('careless', 'Dispatching', 'Active')
    const versionOf = async () => (await client.get(taskBrokers, namespace, 'careless')).metadata.resourceVersion
    using looks = await watchLooks(server)
    // What was under way before the first of them is written before the second one.
    await looks.more(2)
    const before = await versionOf()
    await looks.more(4)
    expect(await versionOf()).toBe(before)
  }, 90_000)

  it('names queues with repeatable jobs of an old BullMQ', async () => {
    const server = await redisWith({ appendonly: 'everysec' })
    const commands = new Redis(server.port, server.host)
    await commands.zadd('bull:reports:repeat', Date.now() + 60_000, 'daily::::0 1 * * *')
    commands.disconnect()
    await create('legacy', { standalone: { address: server.address } })
    await reason('legacy', 'Degraded', 'AsExpected')
    await createPool(client, namespace, 'legacy', { brokerRef: { name: 'legacy' }, queues: [{ name: 'reports' }] })
    expect((await reason('legacy', 'Degraded', 'LegacyRepeatables')).condition?.message).toContain('in "reports": ')
  }, 60_000)
})

describe('the dispatch lease', () => {
  it("follows spec.dispatch, and is another cluster's while that one holds it", async () => {
    const server = await redisWith({ appendonly: 'everysec' })
    const commands = new Redis(server.port, server.host)
    const record = `bull:.taskmill:dispatcher:default/${namespace}`
    try {
      const foreign = { epoch: '3', holder: 'another/taskmill-system/taskmill-operator', by: 'another-0', aliveAtMs: String(Date.now()) }
      await commands.hset(record, foreign)
      await create('shared', { standalone: { address: server.address } })
      const elsewhere = await reason('shared', 'Dispatching', 'DispatchedElsewhere')
      expect(elsewhere.condition?.message).toContain(`another/taskmill-system/taskmill-operator dispatches for default/${namespace}`)
      expect(elsewhere.object?.status?.dispatch).toBe('Standby')
      await commands.hdel(record, 'holder')
      expect((await reason('shared', 'Dispatching', 'Active')).object?.status?.dispatch).toBe('Active')
      expect(Number(await commands.hget(record, 'epoch'))).toBeGreaterThan(3)
      await change('shared', { dispatch: 'Standby' })
      await reason('shared', 'Dispatching', 'Standby')
      await expect.poll(() => commands.hget(record, 'holder')).toBe(null)
      await change('shared', { dispatch: 'Active' })
      await reason('shared', 'Dispatching', 'Active')
      await client.delete(taskBrokers, namespace, 'shared')
      await expect.poll(() => commands.hget(record, 'holder')).toBe(null)
    } finally {
      commands.disconnect()
    }
  }, 90_000)
})
