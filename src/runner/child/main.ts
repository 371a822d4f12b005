/**
 * The runner process: loads the addon, serves one model to the server that forked it, and ends when the
 * server goes. Whatever kills it costs one model, never the server.
 */

import { loadModel } from './load-model.js';
import { runChild } from './run.js';

runChild(loadModel);
