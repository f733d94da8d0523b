/* SPDX-License-Identifier: MIT
 *
 * The userdata by which a module of its own hands the core a driver.
 */
#ifndef FOG_DRIVER_CLASS_H
#define FOG_DRIVER_CLASS_H

#define FOG_DRIVER_CLASS "fogcloud.Driver"

struct fog_l_driver {
  const struct fog_driver *driver;
};

#endif
