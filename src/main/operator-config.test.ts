import { expect, it } from 'vitest'
import { operatorConfig } from './operator-config.ts'

const env = { POD_NAME: 'op-1', POD_NAMESPACE: 'taskmill-system' }

it('needs only what the pod knows of itself', () => {
  expect(operatorConfig(env)).toEqual({
    identity: 'op-1',
    lease: { namespace: 'taskmill-system', name: 'taskmill-operator' },
    installation: 'default',
    watchNamespaces: [],
    httpPort: 8080,
    logLevel: 'info',
    metricsDetail: 'object',
  })
})

it('takes the name of an installation', () => {
  expect(operatorConfig({ ...env, TASKMILL_INSTALLATION: 'blue' }).installation).toBe('blue')
})

it('takes a list of namespaces', () => {
  expect(operatorConfig({ ...env, TASKMILL_WATCH_NAMESPACES: 'a,b' }).watchNamespaces).toEqual(['a', 'b'])
})

it.each([
  { bad: { POD_NAME: '' }, want: 'POD_NAME is not set; it takes the name of the pod, by fieldRef metadata.name' },
  { bad: { POD_NAMESPACE: undefined }, want: 'POD_NAMESPACE is not set' },
  { bad: { TASKMILL_HTTP_PORT: '70000' }, want: 'TASKMILL_HTTP_PORT is "70000"; it takes a port, 0 to 65535' },
  { bad: { TASKMILL_HTTP_PORT: '80a' }, want: 'TASKMILL_HTTP_PORT is "80a"' },
  { bad: { TASKMILL_INSTALLATION: 'Blue' }, want: 'TASKMILL_INSTALLATION is "Blue"; it takes lower case letters, digits and dashes' },
  { bad: { TASKMILL_INSTALLATION: 'a/b' }, want: 'TASKMILL_INSTALLATION is "a/b"' },
  { bad: { TASKMILL_LOG_LEVEL: 'loud' }, want: 'TASKMILL_LOG_LEVEL is "loud"; it takes debug, info, warn, error' },
])('$want', ({ bad, want }) => {
  expect(() => operatorConfig({ ...env, ...bad })).toThrow(want)
})
