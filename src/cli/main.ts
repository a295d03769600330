#!/usr/bin/env node
/**
 * The command line: `errand <command>`. It knows the words of the commands and no more: what a command does is loaded
 * when it is run, so that help comes at once.
 * @module
 */
// By a namespace: a Node that lacks the function would refuse this file before it could be told that it is too old.
import * as nodeModules from 'node:module'
import { outlastReaders, refuseOldNode } from './own-process.ts'

refuseOldNode()
outlastReaders()

// Half of what this process does is to read code; where the cache cannot be written, nothing is lost.
nodeModules.enableCompileCache()
const { runProgram } = await import('./program.ts')
await runProgram(process.argv)
