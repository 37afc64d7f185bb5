import { mkdtempSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createLogger, silentLogger } from '../observability/index.ts'
import { openBrokerAccess } from './index.ts'

let folder: string
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'taskmill-access-'))))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const pem = (what: string) => `-----BEGIN CERTIFICATE-----\n${what}\n-----END CERTIFICATE-----`
const write = (files: Readonly<Record<string, string>>) => {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
}
/** As the kubelet does it: the files are links through one link, which is swapped. */
function mountSecret(version: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(join(folder, version))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, version, name), text)
  symlinkSync(version, join(folder, '..data_tmp'))
  renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
}

test('without folders there is nothing to show, and no TLS', () => {
  const access = openBrokerAccess({}, silentLogger)
  expect([access.credentials(), access.tls, access.hasNewTls()]).toEqual([undefined, undefined, false])
})

test('user name and password, without the line end that editors leave', () => {
  write({ username: 'app\n', password: ' s3cret \r\n' })
  expect(openBrokerAccess({ brokerCredentialsFolder: folder }, silentLogger).credentials()).toEqual({
    username: 'app',
    password: ' s3cret ',
  })
})

test('a password alone, and a rotation as the kubelet does it', () => {
  symlinkSync(join('..data', 'password'), join(folder, 'password'))
  mountSecret('v1', { password: 'hunter1' })
  const lines: string[] = []
  const log = createLogger({ level: 'info', stream: { write: (line) => void lines.push(line) } })
  const access = openBrokerAccess({ brokerCredentialsFolder: folder }, log)
  expect(access.credentials()).toEqual({ password: 'hunter1' })
  mountSecret('v2', { password: 'hunter2' })
  expect(access.credentials()).toEqual({ password: 'hunter2' })
  rmSync(join(folder, '..data'))
  expect([access.credentials(), access.credentials()]).toEqual([{ password: 'hunter2' }, { password: 'hunter2' }])
  expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual([
    'the credentials of the broker have changed',
    'the credentials of the broker cannot be read; going on with the last ones',
  ])
  expect(lines.join('')).not.toMatch(/hunter/u)
})

test('TLS: an empty folder is TLS with what the system trusts, and new files are noticed', () => {
  const access = openBrokerAccess({ brokerTls: { folder, serverName: 'redis.shop' } }, silentLogger)
  expect(access.tls).toEqual({ serverName: 'redis.shop' })
  expect(access.hasNewTls()).toBe(false)
  write({ 'ca.crt': pem('ca'), 'tls.crt': pem('cert') })
  expect(access.hasNewTls()).toBe(false) // a certificate without its key is nothing to restart for
  write({ 'tls.key': pem('key') })
  expect(access.hasNewTls()).toBe(true)
  expect(openBrokerAccess({ brokerTls: { folder } }, silentLogger).tls).toEqual({ ca: pem('ca'), cert: pem('cert'), key: pem('key') })
})

test.each<[string, Record<string, string>, 'credentials' | 'tls', RegExp]>([
  ['no password', { username: 'app' }, 'credentials', /\/password is not there: it has to hold the password of the broker/u],
  ['an empty password', { password: '\n' }, 'credentials', /\/password is empty/u],
  ['no PEM', { 'ca.crt': 'oops' }, 'tls', /\/ca\.crt is not PEM: it has to hold the certificates of the authorities/u],
  ['a certificate alone', { 'tls.crt': pem('a') }, 'tls', /\/tls\.key is not there, but tls\.crt is/u],
  ['a key alone', { 'tls.key': pem('a') }, 'tls', /\/tls\.crt is not there, but tls\.key is/u],
])('%s: says which file and what belongs there, and no secret', (_, files, which, message) => {
  write(files)
  const config = which === 'credentials' ? { brokerCredentialsFolder: folder } : { brokerTls: { folder } }
  expect(() => openBrokerAccess(config, silentLogger)).toThrow(expect.objectContaining({ code: 'TM_CONFIG_INVALID' }))
  expect(() => openBrokerAccess(config, silentLogger)).toThrow(message)
})

test('a folder that is not there, and a file that cannot be read', () => {
  const nowhere = join(folder, 'nowhere')
  expect(() => openBrokerAccess({ brokerCredentialsFolder: nowhere }, silentLogger)).toThrow(
    `TASKMILL_BROKER_CREDENTIALS is "${nowhere}", which is not a folder: mount the Secret there`,
  )
  expect(() => openBrokerAccess({ brokerTls: { folder: nowhere } }, silentLogger)).toThrow('TASKMILL_BROKER_TLS is')
  mkdirSync(join(folder, 'password'))
  expect(() => openBrokerAccess({ brokerCredentialsFolder: folder }, silentLogger)).toThrow('/password cannot be read')
})
