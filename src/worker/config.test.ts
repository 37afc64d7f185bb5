import { describe, expect, test } from 'vitest'
import { parseWorkerConfig } from './index.ts'

const minimal = { TASKMILL_QUEUES: 'mail', TASKMILL_BROKER_ADDRESS: 'redis:6379' }

describe('parseWorkerConfig', () => {
  test('needs queues and the broker, and has defaults for the rest', () => {
    expect(parseWorkerConfig(minimal)).toEqual({
      pool: '',
      namespace: '',
      pod: 'local',
      queues: ['mail'],
      concurrency: 1,
      brokerAddress: 'redis:6379',
      brokerKeyPrefix: 'bull',
      httpPort: 0,
      drainTimeoutMs: 30_000,
    })
  })

  test('reads what the operator writes', () => {
    expect(
      parseWorkerConfig({
        TASKMILL_POOL: 'mailers',
        TASKMILL_NAMESPACE: 'shop',
        TASKMILL_POD: 'mailers-1',
        TASKMILL_QUEUES: ' mail, push ,mail',
        TASKMILL_CONCURRENCY: '20',
        TASKMILL_BROKER_ADDRESS: '[fd00::1]:6380',
        TASKMILL_BROKER_KEY_PREFIX: 'app',
        TASKMILL_BROKER_CREDENTIALS: '/run/credentials',
        TASKMILL_BROKER_TLS: '/run/tls',
        TASKMILL_BROKER_TLS_SERVER_NAME: 'redis.shop',
        TASKMILL_HTTP_PORT: '9090',
        TASKMILL_DRAIN_TIMEOUT_SECONDS: '0',
      }),
    ).toEqual({
      pool: 'mailers',
      namespace: 'shop',
      pod: 'mailers-1',
      queues: ['mail', 'push'],
      concurrency: 20,
      brokerAddress: '[fd00::1]:6380',
      brokerKeyPrefix: 'app',
      brokerCredentialsFolder: '/run/credentials',
      brokerTls: { folder: '/run/tls', serverName: 'redis.shop' },
      httpPort: 9090,
      drainTimeoutMs: 0,
    })
  })

  test.each([
    [{ TASKMILL_QUEUES: '' }, 'TASKMILL_QUEUES is not set: write queue names'],
    [{ TASKMILL_QUEUES: 'a,.b' }, 'TASKMILL_QUEUES names ".b"'],
    [{ TASKMILL_QUEUES: ' , ' }, 'TASKMILL_QUEUES'],
    [{ TASKMILL_BROKER_ADDRESS: 'redis' }, 'TASKMILL_BROKER_ADDRESS is "redis": write host:port'],
    [{ TASKMILL_CONCURRENCY: '1.5' }, 'TASKMILL_CONCURRENCY is "1.5": write a whole number from 1 to 1000'],
    [{ TASKMILL_HTTP_PORT: '65536' }, 'TASKMILL_HTTP_PORT is "65536": write a whole number from 0 to 65535'],
    [{ TASKMILL_BROKER_TLS_SERVER_NAME: 'redis' }, 'TASKMILL_BROKER_TLS_SERVER_NAME is set, but TASKMILL_BROKER_TLS is not'],
    [{ TASKMILL_DRAIN_TIMEOUT_SECONDS: '-1' }, 'TASKMILL_DRAIN_TIMEOUT_SECONDS is "-1"'],
  ])('%j: names the variable and what to write', (wrong, message) => {
    expect(() => parseWorkerConfig({ ...minimal, ...wrong })).toThrow(message)
  })

  test('names all that is wrong at once', () => {
    expect(() => parseWorkerConfig({})).toThrow(/TASKMILL_QUEUES.*TASKMILL_BROKER_ADDRESS/u)
  })
})
