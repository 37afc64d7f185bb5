import { expect, it } from 'vitest'
import { parseDuration, sayDuration } from './duration.ts'
import { commandNames, runCommand, type CommandDeps } from './index.ts'
import { parseReference } from './overridable.ts'

it.each([
  ['45m', 2_700_000, '45m'],
  ['1h', 3_600_000, '1h'],
  ['90m', 5_400_000, '1h30m'],
  ['1d12h', 129_600_000, '1d12h'],
  ['30s', 30_000, '30s'],
  ['1d0h0m1s', 86_401_000, '1d1s'],
])('%s is %i ms, and is said as %s', (text, ms, words) => {
  expect([parseDuration(text), sayDuration(ms)]).toEqual([ms, words])
})

it.each(['', '0s', '1', 'h', '1w', '1.5h', '-1h', '1h ', '1 h', '9999999h'])('%j is no duration', (text) => {
  expect(parseDuration(text)).toBeUndefined()
})

it.each(['wp/email', 'workerpool/email', 'workerpools/email', 'WorkerPool/email'])('%s is a pool', (text) => {
  expect(parseReference(text)).toEqual({ kind: 'WorkerPool', name: 'email', shown: 'wp/email' })
})

/** What a command says that never gets as far as a cluster. */
async function said(name: string, ...argv: string[]) {
  let [out, err] = ['', '']
  const deps: CommandDeps = {
    connect: () => Promise.reject(new Error('no cluster here')),
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    now: () => 0,
    program: 'kubectl taskmill',
  }
  return { code: await runCommand(name, argv, deps), out, err }
}

it.each<[readonly string[], string]>([
  [['scale'], 'say which one: wp/NAME'],
  [['scale', 'email', '5', '--for', '1h'], '"email" is no object: write wp/NAME'],
  [['scale', 'tsch/x', '5', '--for', '1h'], '"tsch" is not possible here: write wp/NAME'],
  [['scale', 'wp/x', '--for', '1h'], 'say how many replicas, 0 to 10000: scale wp/x 5 --for 1h'],
  [['scale', 'wp/x', '10001', '--for', '1h'], 'say how many replicas, 0 to 10000: scale wp/x 5 --for 1h'],
  [['scale', 'wp/x', '5'], 'say for how long, such as --for 1h: an override ends by itself'],
  [['suspend', 'wp/x', '--for', 'long'], '--for long: write a duration such as 45m, 1h or 1d12h'],
  [
    ['suspend', 'wp/x', '--for', '1h', '--because', 'two', 'words'],
    '"words" is one word too many; a reason goes in quotes: --because "two words"',
  ],
  [['suspend', 'wp/x', '--fur', '1h'], "Unknown option '--fur'"],
  [
    ['resume', 'wp/x', '--for', '1h'],
    'a pool is suspended by an override only, so that there is nothing to resume for a while: leave --for out',
  ],
])('%j is called wrongly, and says what to write', async ([name = '', ...argv], message) => {
  expect(await said(name, ...argv)).toEqual({
    code: 2,
    out: '',
    err: `kubectl taskmill ${name}: ${message}\nTry: kubectl taskmill ${name} --help\n`,
  })
})

it.each(commandNames)('%s explains itself', async (name) => {
  const { code, out } = await said(name, '--help')
  expect(code).toBe(0)
  expect(out).toMatch(new RegExp(`^kubectl taskmill ${name} \\S`, 'u'))
  for (const option of ['--for', '--because', '--namespace', '--context', '--kubeconfig']) expect(out).toContain(option)
})

it('says what keeps it from the cluster', async () => {
  expect(await said('suspend', 'wp/x', '--for', '1h')).toEqual({ code: 1, out: '', err: 'kubectl taskmill suspend: no cluster here\n' })
})
