// Preloaded with --import: writes the URL of each module that the process loads into the file LOADED_MODULES.
import { appendFileSync } from 'node:fs'
import { registerHooks } from 'node:module'

const { LOADED_MODULES } = process.env
registerHooks({
  load(url, context, next) {
    appendFileSync(LOADED_MODULES, `${url}\n`)
    return next(url, context)
  },
})
