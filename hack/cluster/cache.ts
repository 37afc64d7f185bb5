/**
 * The cache of what takes long: one folder outside the repository, entries named by a hash of what
 * they were made from. An entry is made in a temporary place and renamed, so that one that exists is
 * whole; a lock keeps two commands from making the same one twice.
 */
import { createHash, randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, readdir, rename, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { Server } from 'node:net'
import { homedir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  return env['TASKMILL_CACHE'] ?? join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'taskmill')
}

/** Twelve hex digits over texts and the contents of files and folders (names included). */
export async function hashOf(parts: { texts?: readonly string[]; paths?: readonly string[]; except?: RegExp }): Promise<string> {
  const hash = createHash('sha256')
  for (const text of parts.texts ?? []) hash.update(`${text.length}:${text}`)
  for (const path of parts.paths ?? []) {
    const files = (await filesBelow(path)).filter((file) => parts.except?.test(file) !== true)
    for (const file of files) hash.update(`${file.slice(path.length)}\0`).update(await readFile(file))
  }
  return hash.digest('hex').slice(0, 12)
}

async function filesBelow(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true, recursive: true }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOTDIR') return undefined
    throw cause
  })
  if (entries === undefined) return [path]
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
}

/**
 * The entry at `path`, made by `make(temporaryPath)` when it is not there. Concurrent callers, in this
 * process or another, wait for the one that makes it.
 */
export async function cached(path: string, make: (temporaryPath: string) => Promise<void>): Promise<string> {
  if (existsSync(path)) return path
  await mkdir(dirname(path), { recursive: true })
  const release = await lock(path)
  try {
    if (existsSync(path)) return path
    await removeAbandoned(path)
    const temporary = `${path}.${randomUUID().slice(0, 8)}.tmp`
    try {
      await make(temporary)
      await rename(temporary, path)
    } finally {
      await rm(temporary, { recursive: true, force: true })
    }
    return path
  } finally {
    await release()
  }
}

/** What a command that was killed left of this entry; the caller holds its lock. */
async function removeAbandoned(path: string): Promise<void> {
  const prefix = `${basename(path)}.`
  for (const name of await readdir(dirname(path))) {
    if (name.startsWith(prefix) && name.includes('.tmp')) await rm(join(dirname(path), name), { recursive: true, force: true })
  }
}

/**
 * Waits for the lock of that name and returns what gives it back. It is the name of an abstract Unix
 * socket: the kernel gives it back when its process dies, however it dies, and nothing is ever stale.
 * Where there are none (not on Linux) there is no lock; entries of the cache are whole all the same.
 */
export async function lock(name: string): Promise<() => Promise<void>> {
  if (process.platform !== 'linux') return () => Promise.resolve()
  const address = `\0taskmill-${createHash('sha256').update(name).digest('hex').slice(0, 24)}`
  for (;;) {
    const server = await listen(address)
    if (server !== undefined) return promisify(server.close.bind(server))
    await sleep(100)
  }
}

function listen(address: string): Promise<Server | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Server | undefined>()
  const server = createServer()
  server.once('error', (cause: NodeJS.ErrnoException) => (cause.code === 'EADDRINUSE' ? resolve(undefined) : reject(cause)))
  server.listen(address, () => resolve(server))
  return promise
}
