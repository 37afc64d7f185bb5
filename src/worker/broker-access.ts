import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { BrokerCredentials, BrokerTls } from '../broker/index.ts'
import { workerEnv } from '../contract/index.ts'
import { errorMessage, taskmillError } from '../errors/index.ts'
import type { Logger } from '../observability/index.ts'
import type { WorkerConfig } from './config.ts'

/** Credentials and TLS of the broker, from mounted files that may change while the worker runs (the kubelet swaps them as a whole). */
export type BrokerAccess = {
  /** Returns the present credentials, and the last ones while the files cannot be read. */
  credentials(): BrokerCredentials | undefined
  /** From the start of the process: connections keep it. */
  readonly tls: BrokerTls | undefined
  /** Says whether the files of TLS have changed since the start. */
  hasNewTls(): boolean
}

/** Reads the mounted files. Throws TM_CONFIG_INVALID, which names the file that is missing or wrong and what belongs there. */
export function openBrokerAccess(config: Pick<WorkerConfig, 'brokerCredentialsFolder' | 'brokerTls'>, log: Logger): BrokerAccess {
  const { brokerCredentialsFolder: folder, brokerTls } = config
  const tls = brokerTls === undefined ? undefined : readTls(brokerTls)
  const atStart = JSON.stringify(tls)
  let credentials = folder === undefined ? undefined : readCredentials(folder)
  let problem: string | undefined
  return {
    tls,
    hasNewTls() {
      try {
        return brokerTls !== undefined && JSON.stringify(readTls(brokerTls)) !== atStart
      } catch {
        // A restart could not read them either.
        return false
      }
    },
    credentials() {
      if (folder === undefined) return undefined
      try {
        const read = readCredentials(folder)
        if (read.username !== credentials?.username || read.password !== credentials?.password)
          log.info({ folder }, 'the credentials of the broker have changed')
        credentials = read
        problem = undefined
      } catch (error) {
        const message = errorMessage(error)
        if (message !== problem) log.warn({ error: message }, 'the credentials of the broker cannot be read; going on with the last ones')
        problem = message
      }
      return credentials
    },
  }
}

function readCredentials(folder: string): BrokerCredentials {
  const password = readOptional(workerEnv.brokerCredentialsFolder, folder, 'password')
  if (password === undefined || password === '') {
    const what = password === undefined ? 'is not there' : 'is empty'
    throw invalid(`${join(folder, 'password')} ${what}: it has to hold the password of the broker (the Secret's key "password")`)
  }
  const username = readOptional(workerEnv.brokerCredentialsFolder, folder, 'username')
  return username === undefined || username === '' ? { password } : { username, password }
}

function readTls({ folder, serverName }: NonNullable<WorkerConfig['brokerTls']>): BrokerTls {
  const pem = (file: string, what: string) => {
    const text = readOptional(workerEnv.brokerTlsFolder, folder, file)
    if (text !== undefined && !text.includes('-----BEGIN ')) throw invalid(`${join(folder, file)} is not PEM: it has to hold ${what}`)
    return text
  }
  const ca = pem('ca.crt', 'the certificates of the authorities that the broker is checked against')
  const cert = pem('tls.crt', 'the certificate that this client shows')
  const key = pem('tls.key', "the key of the client's certificate")
  if ((cert === undefined) !== (key === undefined)) {
    const [there, missing] = cert === undefined ? ['tls.key', 'tls.crt'] : ['tls.crt', 'tls.key']
    throw invalid(`${join(folder, missing)} is not there, but ${there} is: put both there, or none`)
  }
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
    ...(serverName === undefined ? {} : { serverName }),
  }
}

/** Returns undefined when there is no such file. The line end that editors and `echo` leave is not part of a value. */
function readOptional(variable: string, folder: string, file: string): string | undefined {
  try {
    return readFileSync(join(folder, file), 'utf8').replace(/\r?\n$/u, '')
  } catch (error) {
    const isMissing = (error as { readonly code?: unknown }).code === 'ENOENT'
    if (!isMissing) throw invalid(`${join(folder, file)} cannot be read`, error)
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return undefined
    throw invalid(`${variable} is ${JSON.stringify(folder)}, which is not a folder: mount the Secret there, or leave the variable out`)
  }
}

function invalid(message: string, cause?: unknown): Error {
  return taskmillError('TM_CONFIG_INVALID', message, cause === undefined ? {} : { cause })
}
