// What the pool "file" does with files: everything under one folder, given by DATA_FOLDER.
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'

const root = process.env.DATA_FOLDER ?? join(tmpdir(), 'assistant')

/** The files of a folder with their age and size; none when there is no such folder. */
async function filesOf(folder) {
  const names = await readdir(folder).catch(() => [])
  const look = async (name) => {
    const path = join(folder, name)
    const { size, mtimeMs } = await stat(path)
    return { path, size, ageMs: Date.now() - mtimeMs }
  }
  return await Promise.all(names.map(look))
}

/** Removes files that are older than that; reports how many, and their bytes. */
export async function removeOldFiles(folders, olderThanSeconds) {
  const files = (await Promise.all(folders.map((folder) => filesOf(join(root, 'tmp', folder))))).flat()
  const old = files.filter(({ ageMs }) => ageMs > olderThanSeconds * 1000)
  await Promise.all(old.map(({ path }) => rm(path, { force: true })))
  return { filesRemoved: old.length, bytes: old.reduce((sum, { size }) => sum + size, 0) }
}

/** Writes data compressed under a name of its own, reads it back, and removes backups that are too old; reports size and place. */
export async function writeBackup(name, data, retainDays) {
  const folder = join(root, 'backups')
  const exported = join(root, 'tmp', 'exports', `${name}.json`)
  await Promise.all([mkdir(folder, { recursive: true }), mkdir(join(root, 'tmp', 'exports'), { recursive: true })])
  // The export stays for whoever wants to look at it; cleanup-temp-files takes it away.
  await writeFile(exported, JSON.stringify(data))
  const place = join(folder, `${name}.json.gz`)
  await writeFile(`${place}.part`, await promisify(gzip)(await readFile(exported)))
  const readBack = JSON.parse(await promisify(gunzip)(await readFile(`${place}.part`)))
  if (Object.keys(readBack).length !== Object.keys(data).length) throw new Error(`${place} does not hold what was written`)
  await rename(`${place}.part`, place)
  const old = (await filesOf(folder)).filter(({ ageMs }) => ageMs > retainDays * 86_400_000)
  await Promise.all(old.map(({ path }) => rm(path, { force: true })))
  return { place, bytes: (await stat(place)).size, removed: old.length }
}
